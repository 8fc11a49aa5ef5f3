"""The mistakes that an APK gateway can make; importing them registers them."""

from harness.subsystems.apk.faults import apk

__all__ = ["apk"]
