"""What pages are measured by that are no tests: axe in its long form, and Lighthouse from npm."""
