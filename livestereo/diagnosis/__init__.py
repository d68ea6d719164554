"""Checks that turn a bad picture into a named cause. Every finding is measured and shown with its figure."""
