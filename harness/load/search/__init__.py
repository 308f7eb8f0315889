"""The highest load that meets the SLO: the next probe, and when to stop."""
