"""Drives an endpoint: the only package that may import Locust, gevent or an HTTP client."""
