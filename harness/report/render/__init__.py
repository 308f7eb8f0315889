"""The report as HTML, Markdown and a console's text."""
