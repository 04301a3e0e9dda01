"""One folder per dock. A dock knows the session and widgets, never another dock."""
