"""An SMS device for django-otp, as an app of its own."""
