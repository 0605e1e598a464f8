"""A stock project of Django and allauth, frozen: what a request costs where nobody has made it quicker.

Nothing of ours is in it, and nothing of it is to be made quicker: it is the unit of `small_list` and `page_plain`.
"""
