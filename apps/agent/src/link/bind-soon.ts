/** Has the driver bind control groups whenever some come or go: at once, one time after the other, and bursts as one. */

export function bindSoon(
  bind: () => Promise<unknown>,
  failed: (error: unknown) => void,
): () => void {
  let running = false;
  let again = false;
  const run = async (): Promise<void> => {
    running = true;
    do {
      again = false;
      try {
        await bind();
      } catch (error) {
        failed(error);
      }
    } while (again);
    running = false;
  };
  return () => {
    if (running) again = true;
    else void run();
  };
}
