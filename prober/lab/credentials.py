"""The secrets of the lab's protected servers. They protect nothing, and everybody may know them."""

from typing import Final

TOKEN_VARIABLE: Final = "MCP_PROBER_LAB_TOKEN"  # noqa: S105 - the name of a variable
CLIENT_SECRET_VARIABLE: Final = "MCP_PROBER_LAB_CLIENT_SECRET"  # noqa: S105 - the name of a variable
MISSING_VARIABLE: Final = "MCP_PROBER_LAB_NO_SUCH_SECRET"
"""Never set: for the prober that lacks a secret."""

TOKEN: Final = "lab-token"  # noqa: S105 - see above
CLIENT_ID: Final = "prober"
CLIENT_SECRET: Final = "lab-client-secret"  # noqa: S105 - see above
ACCESS_KEY_ID: Final = "AKIDEXAMPLE"
SECRET_ACCESS_KEY: Final = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"  # noqa: S105 - the example key of AWS's documents
OTHER_SECRET_ACCESS_KEY: Final = "another-secret-key"  # noqa: S105 - what no prober of the lab signs with
REGION: Final = "eu-west-1"

ENVIRONMENT: Final = {TOKEN_VARIABLE: TOKEN, CLIENT_SECRET_VARIABLE: CLIENT_SECRET}
"""What a prober's environment must hold to be let in."""
AWS_ENVIRONMENT: Final = {"AWS_ACCESS_KEY_ID": ACCESS_KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY}
"""What it must hold to be let in by a signature."""
