"""What has gone wrong before, elsewhere or here."""
