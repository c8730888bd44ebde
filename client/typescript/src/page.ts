import type { Device } from "./stream.js";

/** The device of a web page; elsewhere nothing is known of it. */
export function thisPage(): Device | undefined {
  return typeof document === "undefined" ? undefined : page;
}

/** The page knows when it comes back from sleep, from the background or from the cache of the back button. */
const page: Device = {
  isOffline: () => navigator.onLine === false,
  onWake(wake) {
    const whenVisible = () => {
      if (document.visibilityState === "visible") wake();
    };
    const signs: [EventTarget, string, () => void][] = [
      [document, "visibilitychange", whenVisible],
      [document, "resume", wake],
      [window, "online", wake],
      [window, "pageshow", wake],
    ];
    for (const [target, type, listener] of signs) target.addEventListener(type, listener);
    return () => {
      for (const [target, type, listener] of signs) target.removeEventListener(type, listener);
    };
  },
};
