@0xb6f3c1a2d4e59788;

interface Echo {
  # What comes back is what was sent.
  echo @0 (body :Data) -> (body :Data);
}
