"""The target ``rt``: an i.MX RT board, or an emulated one, over a serial RPC bridge."""
