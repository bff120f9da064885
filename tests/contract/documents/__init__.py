"""Makes what the documents say of the code out of the code: `python -m tests.contract.documents --write`."""
