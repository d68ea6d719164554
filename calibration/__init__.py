"""The geometry of a stereo rig: boards, detection, solve, rectification, quality, rig files.

Knows no cameras, no terminal and no window, and imports nothing of `livestereo`.
"""
