"""The doctor: facts are gathered, then judged. Gathering touches host and wire and judges nothing; the judges are pure."""
