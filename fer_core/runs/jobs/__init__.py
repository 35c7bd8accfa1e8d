"""Floor 4: runs as jobs that outlive the browser tab."""
