"""One settings file for every place, read from the environment. docs/settings.md lists each variable."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from authweb import backup_store, databases, env, providers

BASE_DIR = Path(__file__).resolve().parent.parent
VERSION = "0.1.0"  # As pyproject.toml has it.

# -- Where this is ----------------------------------------------------------------------------------------------------

DEBUG = env.flag("DEBUG", False)
DEMO = env.flag("DEMO", False)
if DEMO and not DEBUG:
    raise ImproperlyConfigured("DEMO=1 is refused unless DEBUG=1: the demo's keys and passwords are public.")
AT_HOME = DEBUG  # On one's own machine: http will do, and static files come as they lie.
DEBUG = AT_HOME and not DEMO  # The demo shows the pages that people get, those of errors too.

PORT = env.number("PORT", 8000, least=1, most=65535)
DATA_DIR = Path(env.text("DATA_DIR", str(BASE_DIR / "var" / (f"demo-{PORT}" if DEMO else "data"))))

# The address people type. Passkeys, mailed links and the callbacks of providers hang on it for ever.
SITE_URL = env.text("SITE_URL", f"http://localhost:{PORT}" if AT_HOME else "").rstrip("/")
_site = urlsplit(SITE_URL)
if _site.scheme not in ("http", "https") or not _site.hostname or _site.path or _site.query:
    raise ImproperlyConfigured(f"SITE_URL={SITE_URL!r}: write the address people type, as in https://auth.example.org.")
HTTPS = _site.scheme == "https"
if not HTTPS and not AT_HOME:
    raise ImproperlyConfigured(f"SITE_URL={SITE_URL!r}: https is required unless DEBUG=1.")

SECRET_KEY = env.secret("SECRET_KEY")
if not SECRET_KEY and DEMO:
    SECRET_KEY = "demo: known to everybody, refused outside the demo " + "0" * 20
if len(SECRET_KEY) < 50:
    raise ImproperlyConfigured("SECRET_KEY, or the file named by SECRET_KEY_FILE, must hold 50 characters or more.")
if SECRET_KEY.startswith("demo:") and not DEMO:
    raise ImproperlyConfigured("SECRET_KEY is the demo's: make one of your own.")

ALLOWED_HOSTS = env.words("ALLOWED_HOSTS") or [_site.hostname, *(["127.0.0.1", "[::1]"] if AT_HOME else [])]
CSRF_TRUSTED_ORIGINS: list[str] = [SITE_URL] if HTTPS else []
if "*" in ALLOWED_HOSTS and not AT_HOME:
    raise ImproperlyConfigured("ALLOWED_HOSTS=*: name the hosts; a request could claim any other.")
SERVER_KEYS_FILE = Path(env.text("SERVER_KEYS_FILE", str(DATA_DIR / "server-keys.txt")))

# -- The parts --------------------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    *(["authweb.demo"] if DEMO else []),
    "authweb",
    "backups",
    "accounts",
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    *(["allauth.socialaccount.providers.apple"] if providers.APPLE else []),
    "allauth.mfa",
    "allauth.usersessions",
    "accounts.apps.StaffConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django_htmx",
    "template_partials",
    "csp",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "accounts.middleware.Headers",
    "accounts.middleware.ContentPolicy",
    "accounts.middleware.Compress",
    "accounts.middleware.Strangers",
    "accounts.middleware.Sessions",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.middleware.Preferences",
    "accounts.middleware.SignInRequired",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "accounts.middleware.NoSuspendedPost",
]

ROOT_URLCONF = "authweb.urls"
WSGI_APPLICATION = "authweb.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "accounts.http.shell",
            ]
        },
    }
]

# -- Stores -----------------------------------------------------------------------------------------------------------

DATABASES = {"default": databases.database(env.text("DATABASE_URL"), default=DATA_DIR / "authweb.sqlite3")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES = {"default": databases.cache(env.text("CACHE_URL"))}

STATIC_URL = "static/"
STATIC_ROOT = Path(env.text("STATIC_ROOT", str(DATA_DIR / "static")))
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},  # Nothing that people send is kept as a file.
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if AT_HOME
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
    "backups": backup_store.store(default=DATA_DIR / "backups", at_home=AT_HOME),
}
WHITENOISE_USE_FINDERS = AT_HOME
WHITENOISE_AUTOREFRESH = AT_HOME

# Pictures are read in memory and never reach the disk.
FILE_UPLOAD_HANDLERS = ["accounts.uploads.SmallMemoryUploads"]
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 4100  # 2,000 accounts restored, of each a tick and which key is kept.
DATA_UPLOAD_MAX_NUMBER_FILES = 100  # Of pictures 20 are read; who sends more is told so.

# -- Mail -------------------------------------------------------------------------------------------------------------

globals().update(databases.mail(env.text("EMAIL_URL", "" if not AT_HOME else "console://")))
if DEMO and not env.text("EMAIL_URL"):
    EMAIL_BACKEND = "authweb.demo.mail.Backend"  # Into DATA_DIR, to be read at /demo/mail/.
DEFAULT_FROM_EMAIL = env.text("EMAIL_FROM", f"Authweb <authweb@{_site.hostname}>")
SERVER_EMAIL = DEFAULT_FROM_EMAIL
EMAIL_SUBJECT_PREFIX = ""

# -- People and sign-in (django-allauth) ------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "accounts:list"
ACCOUNT_LOGOUT_REDIRECT_URL = "welcome"

SIGN_UP = env.one_of("SIGN_UP", "open", ("open", "closed"))
INVITATION_MAX_AGE = timedelta(days=env.number("INVITATION_DAYS", 7, least=1, most=90))

ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
SOCIALACCOUNT_ADAPTER = "accounts.adapter.SocialAccountAdapter"
MFA_ADAPTER = "accounts.adapter.MFAAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True
ACCOUNT_PASSWORD_RESET_BY_CODE_ENABLED = True
ACCOUNT_LOGIN_BY_CODE_ENABLED = True
# All mailed codes count for as long: mails are slow. The mails name the time.
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_TIMEOUT = 15 * 60
ACCOUNT_PASSWORD_RESET_BY_CODE_TIMEOUT = ACCOUNT_LOGIN_BY_CODE_TIMEOUT = 15 * 60
ACCOUNT_EMAIL_VERIFICATION_SUPPORTS_RESEND = True  # Mails get lost: twice more, each with a code of its own.
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_RATE_LIMITS = {"make_words": "10/h/user"}  # Beside allauth's own.
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_DEFAULT_HTTP_PROTOCOL = _site.scheme
SOCIALACCOUNT_AUTO_SIGNUP = False
SOCIALACCOUNT_EMAIL_AUTHENTICATION = False
SOCIALACCOUNT_LOGIN_ON_GET = False
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_REAUTHENTICATION_REQUIRED = True
SOCIALACCOUNT_PROVIDERS = providers.PROVIDERS
WAYS = providers.WAYS
ICLOUD_FROM = providers.ICLOUD_FROM
AUTOFILL_ENDS = env.day("AUTOFILL_ENDS", "2025-07-01")
PASSWORDS_END = env.day("PASSWORDS_END", "2025-08-01")
PROOF_MAX_AGE = timedelta(seconds=env.number("PROOF_MAX_AGE", 300, least=30, most=300))
PROOF_PENDING_FOR = timedelta(minutes=10)
PROOF_KEPT = timedelta(days=1)
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", *(["webauthn"] if env.flag("PASSKEYS", True) else [])]
MFA_PASSKEY_LOGIN_ENABLED = "webauthn" in MFA_SUPPORTED_TYPES
MFA_PASSKEY_SIGNUP_ENABLED = "webauthn" in MFA_SUPPORTED_TYPES
MFA_FORMS = {
    "activate_totp": "accounts.forms_sign_in.TurnOnCodesForm",
    "authenticate": "accounts.forms_sign_in.SignInByCodeForm",
    "reauthenticate": "accounts.forms_sign_in.SignInAgainByCodeForm",
    "add_webauthn": "accounts.forms_sign_in.AddPasskeyForm",
    "signup_webauthn": "accounts.forms_sign_in.SignUpByPasskeyForm",
    "authenticate_webauthn": "accounts.forms_sign_in.AuthenticateByPasskeyForm",
    "login_webauthn": "accounts.forms_sign_in.SignInByPasskeyForm",
    "reauthenticate_webauthn": "accounts.forms_sign_in.SignInAgainByPasskeyForm",
}
MFA_WEBAUTHN_USER_VERIFICATION = "required"
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not HTTPS
MFA_TOTP_TOLERANCE = 1
MFA_TOTP_ISSUER = "Authweb"
USERSESSIONS_TRACK_ACTIVITY = False
ALLAUTH_TRUSTED_PROXY_COUNT = env.number("TRUSTED_PROXIES", 0, least=0, most=9)

# -- Cookies and headers ----------------------------------------------------------------------------------------------

# Browsers tie `__Host-` to https. Without it, at home alone, names are plain; the demo's carry the port, which
# browsers do not tell apart by themselves.
_prefix, _suffix = ("__Host-" if HTTPS else ""), (f"-{PORT}" if DEMO else "")
SESSION_COOKIE_NAME = f"{_prefix}session{_suffix}"
CSRF_COOKIE_NAME = f"{_prefix}csrf{_suffix}"
DEVICE_COOKIE_NAME = f"{_prefix}device-key-{{person}}{_suffix}"
LANGUAGE_COOKIE_NAME = f"{_prefix}language{_suffix}"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = DEVICE_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = HTTPS
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600
READ_BY_STRANGERS = ("/help/",)  # Without session and database, whoever reads.
SESSION_COOKIE_AGE = 30 * 24 * 3600
SESSION_EXPIRE_AT_BROWSER_CLOSE = False
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = LANGUAGE_COOKIE_SAMESITE = "Lax"
SESSION_ENGINE = "django.contrib.sessions.backends.db"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_AGE = SESSION_COOKIE_AGE
# In the session, not in a cookie: what is said to one person is not carried to another.
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
CSRF_FAILURE_VIEW = "authweb.views.csrf_failure"

SECURE_SSL_REDIRECT = HTTPS and env.flag("SSL_REDIRECT", True)
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
SECURE_SSL_HOST = _site.netloc if HTTPS else None  # Never to the Host that a request claims.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if ALLAUTH_TRUSTED_PROXY_COUNT else None
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS and env.flag("HSTS_SUBDOMAINS", False)
SECURE_HSTS_PRELOAD = False
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "connect-src": [SELF],
        "font-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        "object-src": [NONE],
    }
}

# -- Languages, time --------------------------------------------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]  # Each by its own name.
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = env.text("TIME_ZONE", "UTC")

# -- Graces, counts ---------------------------------------------------------------------------------------------------

CODES_AHEAD = timedelta(seconds=env.number("CODES_AHEAD_SECONDS", 300, least=0, most=300))
LOOK_EVERY = timedelta(seconds=25)  # The page adds up to a fifth by chance: what other browsers did shows in 30 s.
TRASH_KEPT = timedelta(days=env.number("TRASH_DAYS", 30, least=1, most=30))
STATES_KEPT = 10
STATES_KEPT_FOR = timedelta(days=30)
DRAFT_KEPT = timedelta(minutes=15)
REMOVED_DEVICE_KEPT = timedelta(hours=env.number("REMOVED_DEVICE_HOURS", 24, least=1, most=720))
APPROVAL_KEPT = timedelta(minutes=10)
LISTS_PUT_ASIDE_FOR = timedelta(days=env.number("LISTS_PUT_ASIDE_DAYS", 30, least=1, most=365))
BACKUP_GRACE = timedelta(hours=env.number("BACKUP_GRACE_HOURS", 24, least=1, most=720))
ACCOUNT_DELETED_AFTER = timedelta(hours=env.number("ACCOUNT_DELETED_AFTER_HOURS", 24, least=1, most=720))
UNSEEN_DEVICE_KEPT = timedelta(days=400)
TIDY_EVERY = timedelta(seconds=env.number("TIDY_SECONDS", 30, least=1, most=3600))
OPERATOR_COPIES_KEPT = timedelta(days=env.number("OPERATOR_COPIES_DAYS", 0, least=0, most=3650))  # 0: not told.
NEW_LIST = "authweb.demo.samples.new_list" if DEMO else ""  # What a new list begins with.

# -- What is written down ---------------------------------------------------------------------------------------------

DEFAULT_EXCEPTION_REPORTER_FILTER = "authweb.error_reports.Filter"
DEFAULT_EXCEPTION_REPORTER = "authweb.error_reports.Reporter"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
    "filters": {"no_secrets": {"()": "authweb.error_reports.NoRequest"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain", "filters": ["no_secrets"]}},
    "root": {"handlers": ["stderr"], "level": env.one_of("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR"))},
    # Django mails reports to ADMINS; they hold what a request held, so nobody is mailed.
    "loggers": {
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        "django.server": {"handlers": [], "level": "WARNING", "propagate": True},
        "allauth": {"handlers": [], "level": "WARNING", "propagate": True},
    },
}
ADMINS: list[tuple[str, str]] = []

SILENCED_SYSTEM_CHECKS = [
    "security.W005",  # HSTS for subdomains is the operator's choice: HSTS_SUBDOMAINS=1.
    "security.W021",  # Preloading HSTS cannot be taken back; nor is it ours to choose.
]
