"""A local stand-in for Lambda that breaks on command. It shares no code with the wire or the checks."""
