"""Tests of what lamella does, a file for each verb."""
