"""Builds and proves the Android demo without Gradle and without Google's Maven: what `make android` runs.

cd android_demo && python -m tooling --help
"""
