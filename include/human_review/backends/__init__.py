"""
Who asks people: Augmented AI, Airflow's own forms, or a Label Studio server. One interface, see :mod:`.base`.

Each back end takes the same items and leaves the same answers, so nothing after them knows which one it was.
"""
