"""Generated from the API: messages, enums and stubs."""
