# `make run` shows Authweb, `make test` tests it; both need nothing but Python 3.11 or later and make.

.DEFAULT_GOAL := run
.DELETE_ON_ERROR:
unexport DJANGO_SETTINGS_MODULE
# Tests start some hundred processes: what one compiles is kept for the next, whatever the shell says.
unexport PYTHONDONTWRITEBYTECODE

PORT ?= 8000
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check
FROM_LOCK := install --quiet --require-hashes --no-deps -r
CHECKED := accounts authweb backups tests docs/open_backup.py manage.py

# What `check` reads its settings from: the demo's for tools that only look, a production's for what must hold there.
AS_DEMO := DEBUG=1 DEMO=1
AS_PRODUCTION := env -u DEBUG -u DEMO -u DATABASE_URL SITE_URL=https://auth.example.org EMAIL_URL=smtp://mail.example.org:587 \
	SECRET_KEY=of-a-check-alone-of-a-check-alone-of-a-check-alone-of-a-check-alone \
	BACKUP_STORE=s3://backups-example BACKUP_S3_REGION=eu-central-1 BACKUP_S3_ACCESS_KEY_ID=of-a-check \
	BACKUP_S3_SECRET_ACCESS_KEY=of-a-check-alone \
	ROLE_MICROSOFT_CLIENT_ID=of-a-check ROLE_MICROSOFT_CLIENT_SECRET=of-a-check

.PHONY: run test test-long test-postgres article check bench audit serve lock messages screenshots sizes browser

# -- Use --------------------------------------------------------------------------------------------------------------

run: $(VENV)/run.stamp
	@exec env $(AS_DEMO) PORT=$(PORT) $(PY) manage.py demo

serve: $(VENV)/run.stamp
	@exec $(PY) manage.py serve

# -- Check ------------------------------------------------------------------------------------------------------------

# What is pure, and the tests that run each branch of it without a database.
PURE := accounts.vault,backups.portions,backups.contents,backups.envelope,backups.names
PURE_TESTS := tests/accounts/vault $(patsubst %,tests/backups/test_%.py,portions contents envelope names fuzz)
WITHOUT_PURE := $(PURE_TESTS:%=--ignore=%)
STORED := $(filter-out $(PURE_TESTS),$(wildcard tests/backups/test_*.py))
STORES := $(filter tests/backups/test_storage%,$(STORED))
BESIDE := tests/journeys tests/attacks $(STORED)

# The core under coverage, each branch of it, then the rest. Beside both the journeys, which wait for browsers most of
# the time, and then the stores; beside those the attacks, and then what is stored: three lanes of about one length,
# since more at once than cores cost each other what they win. TESTS=tests/rules or ROW=T16 runs those alone.
test test-long: $(VENV)/test.stamp
	@$(PY) -m tests.browsers
ifneq ($(TESTS)$(ROW),)
	$(PY) -m pytest $(FORM) $(TESTS)
else
	@mkdir -p build; failed=0; \
	part() { name=$$1; shift; $(PY) -m pytest $(FORM) "$$@" > build/$$name.log 2>&1; }; \
	lane() { part $$1 $$2; ended=$$?; part $$3 $$4 && return $$ended; }; \
	lane journeys tests/journeys stores "$(STORES)" & journeys=$$!; \
	lane attacks tests/attacks backups "$(filter-out $(STORES),$(STORED))" & others=$$!; \
	$(PY) -m coverage run --data-file=build/coverage --source=$(PURE) -m pytest $(FORM) $(PURE_TESTS) || failed=1; \
	$(PY) -m coverage report --data-file=build/coverage --fail-under=100 || failed=1; \
	$(PY) -m pytest $(FORM) $(WITHOUT_PURE) $(BESIDE:%=--ignore=%) || failed=1; \
	wait $$journeys || failed=1; wait $$others || failed=1; \
	cat build/journeys.log build/stores.log build/attacks.log build/backups.log; \
	exit $$failed
endif

test-long: FORM := --long --timeout=3600

test-postgres: $(VENV)/test.stamp
	$(PY) -m tests.postgres $(TESTS)

# Each statement of the article with the tests that show it and how they ended, also into docs/article.md.
article: $(VENV)/test.stamp
	@$(PY) -m tests.browsers
	@$(PY) -m tests.article

check: $(VENV)/test.stamp
	$(PY) -m ruff check $(CHECKED)
	$(PY) -m ruff format --check $(CHECKED)
	$(AS_DEMO) $(PY) -m mypy
	$(PY) -m djlint --quiet --lint templates authweb/demo/templates authweb/demo/provider/templates
	$(PY) -c "from importlinter.cli import lint_imports; raise SystemExit(lint_imports())"
	$(AS_DEMO) DATABASE_URL=sqlite:///:memory: $(PY) manage.py makemigrations --check --dry-run
	$(AS_PRODUCTION) $(PY) manage.py check --deploy --fail-level WARNING

bench: $(VENV)/test.stamp
	@$(PY) -m tests.browsers
	$(PY) -m tests.bench

# axe at every page in its long form, Lighthouse at four pages of production. That one needs Node and npm.
audit: $(VENV)/test.stamp
	@$(PY) -m tests.browsers
	@$(PY) -m tests.audit

# -- Keep -------------------------------------------------------------------------------------------------------------

# Both locks, with hashes, on the oldest Python that is supported: PYTHON=python3.11 make lock.
lock: $(VENV)/test.stamp
	@$(PY) -c "import sys; sys.exit(sys.version_info[:2] != (3, 11) and 'make lock: .venv must be of Python 3.11.')"
	for name in requirements requirements-dev; do \
		CUSTOM_COMPILE_COMMAND="make lock" $(PY) -m piptools compile --quiet --generate-hashes --allow-unsafe \
			--strip-extras --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-header \
			--output-file $$name.txt $$name.in || exit 1; done

# Catalogues: what the sources say into locale/, and from there into what the server reads. Needs no gettext.
messages: $(VENV)/run.stamp
	@$(AS_DEMO) $(PY) manage.py catalogues

# The pictures of README and of the help, at an hour that is always the same.
screenshots: $(VENV)/test.stamp
	@$(PY) -m tests.browsers
	@$(PY) -m tests.screenshots

sizes:
	@git ls-files '*.py' '*.js' '*.css' '*.html' | xargs wc -l | sort -rn | head -40

# A browser for the tests, without root, into .browsers/. Afterwards the tests find it there.
browser: $(VENV)/test.stamp
	@$(PY) -m tests.browsers download

# -- .venv, from the lock ---------------------------------------------------------------------------------------------

$(VENV)/run.stamp: requirements.txt | $(PY)
	$(PIP) $(FROM_LOCK) requirements.txt
	@touch $@

# What tests import is compiled then; most never is.
$(VENV)/test.stamp: requirements-dev.txt $(VENV)/run.stamp
	$(PIP) $(FROM_LOCK) requirements-dev.txt --no-compile
	@touch $@

# A python of version managers may stand on the PATH and yet not run: each is tried.
$(PY):
	@for python in $(PYTHON) python3.13 python3.12 python3.11 python3.14 python3 python; do \
		$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
		rm -rf $(VENV) && $$python -m venv $(VENV) && exit 0; \
		echo "$$python cannot make a virtual environment. Install its venv module (Debian: apt-get install python3-venv)." >&2; \
		rm -rf $(VENV); exit 2; \
	done; \
	echo "Authweb needs Python 3.11 or later, and none was found. Set PYTHON=path where it is installed elsewhere." >&2; exit 2
