"""Whom the demo's provider plays: three issuers, each at a port of its own beside Authweb's."""

from __future__ import annotations

from dataclasses import dataclass

HOST = "127.0.0.1"  # Authweb is at localhost: browsers keep the cookies of the two apart, which ports do not.
SECRET = "known-to-everybody"  # noqa: S105 - of every client there is, and printed here


@dataclass(frozen=True, slots=True)
class Issuer:
    """One issuer. `role` is the role of Authweb that it plays, `offset` what its port is above Authweb's.

    Where `tenant` is set, the issuer's name holds it, as the names of Microsoft's tenants do; discovery, which is of no
    tenant, has a place in the name instead.
    """

    role: str
    name: str
    domain: str
    offset: int
    tenant: str = ""

    @property
    def client_id(self) -> str:
        """Authweb's proof app, as it is known here."""
        return f"authweb-{self.role}-proof"

    def origin(self, port: int) -> str:
        """Where it answers. `port` is Authweb's."""
        return f"http://{HOST}:{port + self.offset}"

    def named(self, port: int, tenant: str = "") -> str:
        """The issuer as tokens say it; with a place for the tenant, as in `{tid}`, where one is given."""
        return self.origin(port) + (f"/{tenant or self.tenant}/v2.0" if self.tenant else "")

    def redirect_uri(self, site: str) -> str:
        """Where Authweb, whose address is `site`, takes its answers."""
        return f"{site}/sign-in/oidc/{self.role}-proof/login/callback/"


MICROSOFT = Issuer("microsoft", "Microsoft", "outlook.example", 1)
ICLOUD = Issuer("apple", "iCloud", "icloud.example", 2)
CONTOSO = Issuer("entra", "Contoso", "contoso.example", 3, tenant="c0270500-5e0f-4bb8-9d2a-0de30e5a3f17")
ISSUERS = (MICROSOFT, ICLOUD, CONTOSO)
PORTS = 1 + len(ISSUERS)  # Authweb's own, and these.


def at(listening: int, port: int) -> Issuer:
    """The issuer that listens there, where Authweb has `port`. Raises LookupError."""
    for issuer in ISSUERS:
        if port + issuer.offset == listening:
            return issuer
    raise LookupError(listening)


def roles(port: int) -> dict[str, dict[str, str]]:
    """Per role, what tells Authweb at `port` of it: settings of its environment."""
    return {
        issuer.role: {
            f"ROLE_{issuer.role.upper()}_{name}": value
            for name, value in (
                ("ISSUER", issuer.named(port, "{tid}")),
                ("CLIENT_ID", issuer.client_id),
                ("CLIENT_SECRET", SECRET),
                ("NAME", issuer.name),
                # As at Microsoft, where `sub` differs from application to application.
                *((("SUBJECT", "oid"),) if issuer is not ICLOUD else ()),
            )
        }
        for issuer in ISSUERS
    }
