/** Milliseconds before the second attempt; the pause doubles up to the longest. */
const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 8_000;

/** Calls until it succeeds or the error is final, and says after each attempt whether somebody has answered. */
export async function untilReached<T>(
  call: () => Promise<T>,
  isFinal: (error: unknown) => boolean,
  tell: (isReached: boolean) => void,
): Promise<T> {
  for (let pause = FIRST_PAUSE; ; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
    try {
      const answer = await call();
      tell(true);
      return answer;
    } catch (error) {
      tell(isFinal(error));
      if (isFinal(error)) throw error;
      await pauseUnlessOnline(pause);
    }
  }
}

/** Waits, but not after the device has come back online. */
function pauseUnlessOnline(pause: number): Promise<void> {
  return new Promise((over) => {
    const end = () => {
      clearTimeout(timer);
      window.removeEventListener("online", end);
      over();
    };
    const timer = setTimeout(end, pause);
    window.addEventListener("online", end);
  });
}
