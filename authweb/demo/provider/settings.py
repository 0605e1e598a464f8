"""Settings of the demo's provider: a project and a process of its own beside Authweb's, in the demo alone."""

from __future__ import annotations

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from authweb import databases
from authweb import settings as authweb
from authweb.demo.provider.issuers import HOST

if not authweb.DEMO:  # Which is refused itself unless DEBUG=1.
    raise ImproperlyConfigured("The demo's provider is refused unless DEMO=1: its keys and passwords are public.")

PORT = authweb.PORT  # Authweb's. Its own three follow.
SITE_URL = authweb.SITE_URL
DATA_DIR = authweb.DATA_DIR / "provider"

DEBUG = False
SECRET_KEY = "demo: known to everybody, of the provider " + "0" * 20
ALLOWED_HOSTS = [HOST]
INSTALLED_APPS = [
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.idp.oidc",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "csp",
]
MIDDLEWARE = [
    "authweb.demo.provider.middleware.OneIssuer",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "authweb.demo.provider.middleware.OwnPeople",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]
ROOT_URLCONF = "authweb.demo.provider.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [authweb.BASE_DIR / "authweb/demo/provider/templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "authweb.demo.provider.views.shell",
            ]
        },
    }
]

DATABASES = {"default": databases.database("", default=DATA_DIR / "provider.sqlite3")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# Sessions, codes of an authorization and used codes of people end with the process: there is one, and it may forget.
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "OPTIONS": {"MAX_ENTRIES": 100_000}},
}
SESSION_ENGINE = "django.contrib.sessions.backends.cache"

AUTHENTICATION_BACKENDS = ["authweb.demo.provider.adapter.PeopleOfThisIssuer"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # The password stands on the page: be quick.
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"

ACCOUNT_ADAPTER = "authweb.demo.provider.adapter.AccountAdapter"
ACCOUNT_FORMS = {"login": "authweb.demo.provider.forms.SignInForm"}
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_RATE_LIMITS = False
MFA_SUPPORTED_TYPES = ["totp"]
MFA_FORMS = {"authenticate": "authweb.demo.provider.forms.CodeForm"}
MFA_TOTP_TOLERANCE = 1

IDP_OIDC_ADAPTER = "authweb.demo.provider.adapter.OIDCAdapter"
IDP_OIDC_PRIVATE_KEY = ""  # Set by `serve`, from a file that it makes first.

SESSION_COOKIE_NAME = "session"  # The browser knows it by another one: see `OneIssuer`.
SESSION_COOKIE_AGE = 8 * 3600
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_USE_SESSIONS = True
CSRF_FAILURE_VIEW = "authweb.demo.provider.views.csrf_failure"
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "style-src": [SELF],
        "img-src": ["data:"],
        # A form that signs in ends, by redirects, at Authweb.
        "form-action": [SELF, SITE_URL],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}

LANGUAGE_CODE = authweb.LANGUAGE_CODE
LANGUAGES = authweb.LANGUAGES
LOCALE_PATHS = authweb.LOCALE_PATHS
USE_I18N = True
USE_TZ = True

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["stderr"], "level": "ERROR"},
    # Addresses of its pages hold codes and nonces.
    "loggers": {
        "django": {"handlers": [], "level": "ERROR", "propagate": True},
        "django.server": {"handlers": [], "level": "CRITICAL", "propagate": False},
    },
}
