"""Books and trades as they change, for clients of their own: apart from orders, so that each scales and fails alone."""
