"""A finished study as one page: plain functions from typed data to HTML and Markdown, without MLflow."""
