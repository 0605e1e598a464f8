"""What must hold of the help before anything starts: each of its pages is there, and leads to others that are."""

from __future__ import annotations

from django.conf import settings
from django.core import checks

from authweb import help_pages
from backups import dated_lines


@checks.register
def every_page_of_the_help_is_whole(**_: object) -> list[checks.CheckMessage]:
    """A page without its text would fail for whoever needs it; one in no group would be found by nobody."""
    grouped = [slug for _label, slugs in help_pages.GROUPS for slug in slugs]
    led_to = [*(slug for topic in help_pages.TOPICS for slug in topic.see), *grouped]
    led_to += [line.learn_more for line in dated_lines.LINES.values() if line.learn_more]
    textless = [
        checks.Error(f"No {topic.template}.", hint=f"templates/{topic.template}", id="authweb.E001")
        for topic in help_pages.TOPICS
        if not (settings.BASE_DIR / "templates" / topic.template).is_file()
    ]
    unknown = [
        checks.Error(f"The help has no page {slug!r}.", hint="authweb/help_pages.py", id="authweb.E002")
        for slug in dict.fromkeys(led_to)
        if slug not in help_pages.BY_SLUG
    ]
    lost = [
        checks.Error(f"{topic.slug!r} stands in no group of the help.", hint="GROUPS", id="authweb.E003")
        for topic in help_pages.TOPICS
        if grouped.count(topic.slug) != 1
    ]
    return [*textless, *unknown, *lost]
