"""`make screenshots`: which pictures there are stands in `pictures.py`."""
