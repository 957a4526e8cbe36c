"""eiq.erpc, the interface between host and board, and what is generated from it.

``python -m hal.rt.idl`` writes ``hal/rt/protocol.py`` and ``firmware/core/eiq_rpc.h`` and ``.c``; ``--check`` only says
whether they are what it would write.
"""
