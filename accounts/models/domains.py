"""What may not be kept here: rules of an organisation's administrators."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.vault import domains


class BlockedDomain(models.Model):
    """From a day on, codes for a domain may not be kept here. `domain` is in its one spelling."""

    domain = models.CharField(_("domain"), max_length=domains.LONGEST, unique=True)
    from_date = models.DateField(_("from"), help_text=_("The first day on which it holds; days are those of UTC."))
    reason = models.CharField(_("reason"), max_length=200, help_text=_("People read it where a code is refused."))
    contact = models.CharField(_("contact"), max_length=200, help_text=_("Whom people can ask, as it@contoso.com."))
    dated_at = models.DateTimeField(null=True, editable=False)  # When it was made, or its day became another.

    class Meta:
        verbose_name = _("blocked domain")
        verbose_name_plural = _("blocked domains")
        ordering = ("domain",)

    def __str__(self) -> str:
        return self.readable

    @property
    def readable(self) -> str:
        """The domain as people read it."""
        return domains.readable(self.domain)
