"""Tests of the training room of mammography."""
