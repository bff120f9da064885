"""Where endpoints come from and which of them count."""
