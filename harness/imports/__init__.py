"""Results of other tools become run directories: one module a tool, `TOOLS` in front of them."""
