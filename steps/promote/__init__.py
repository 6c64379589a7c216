"""The step ``promote``: a challenger becomes the champion through declared gates, or the champion before comes back."""
