"""The HTTP front of the order path. `app` is the edge; what an order goes through is in `order_path`."""
