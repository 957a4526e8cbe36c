"""The target ``imx8``: an i.MX 8 (or 9) board with Linux."""
