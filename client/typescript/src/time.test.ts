import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Backoff, fairDice } from "./backoff.js";
import { Alarm, Clock, sleep, within } from "./time.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

test("the clock goes on in sleep, and minds neither drift nor a wall clock that is set back", async () => {
  const clock = new Clock();
  const start = clock.now();
  await vi.advanceTimersByTimeAsync(1000);
  expect(clock.now() - start).toBe(1000);
  vi.setSystemTime(Date.now() + 3_600_000);
  expect(clock.now() - start).toBe(3_601_000);
  vi.setSystemTime(Date.now() - 7_200_000);
  expect(clock.now() - start).toBe(3_601_000);
  for (let day = 0; day < 100; day += 1) {
    vi.setSystemTime(Date.now() + 900);
    clock.now();
  }
  expect(clock.now() - start).toBe(3_601_000);
});

test("an alarm rings once, at its time, and sees within five seconds that the device has slept", async () => {
  const clock = new Clock();
  const ring = vi.fn();
  const alarm = new Alarm(clock, ring);
  alarm.set(clock.now() + 12_000);
  await vi.advanceTimersByTimeAsync(11_999);
  expect(ring).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1);
  expect(ring).toHaveBeenCalledTimes(1);
  alarm.set(clock.now() + 3_600_000);
  await vi.advanceTimersByTimeAsync(7000);
  vi.setSystemTime(Date.now() + 3_600_000);
  await vi.advanceTimersByTimeAsync(5000);
  expect(ring).toHaveBeenCalledTimes(2);
  alarm.set(clock.now() + 1000);
  alarm.set(Number.POSITIVE_INFINITY);
});

test("within gives an answer, the error of the call, or why there is none, and aborts in each case", async () => {
  const signals: AbortSignal[] = [];
  const run = (end: (signal: AbortSignal) => Promise<unknown>, patience = 1000, outer?: AbortSignal) =>
    within([outer, undefined], patience, (signal) => {
      signals.push(signal);
      return end(signal);
    }).catch((error) => error);
  expect(await run(async () => "answer")).toBe("answer");
  expect(await run(() => Promise.reject(new Error("no")))).toMatchObject({ message: "no" });
  const late = run(() => new Promise(() => {}));
  await vi.advanceTimersByTimeAsync(1000);
  expect(await late).toMatchObject({ code: "DEADLINE_EXCEEDED" });
  const abort = new AbortController();
  const cancelled = run(() => new Promise(() => {}), Number.POSITIVE_INFINITY, abort.signal);
  abort.abort();
  expect(await cancelled).toMatchObject({ code: "CANCELLED" });
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, true, true, true]);
  expect(await run(async () => "answer", 1000, abort.signal), "nothing is begun").toMatchObject({ code: "CANCELLED" });
  expect(signals).toHaveLength(4);
});

test("a sleep leaves no timer when it is cancelled", async () => {
  const abort = new AbortController();
  const asleep = expect(sleep(1000, abort.signal)).rejects.toMatchObject({ code: "CANCELLED" });
  abort.abort();
  await asleep;
});

test("backoff doubles from half a second to thirty, and with little time left its waits fit into that", () => {
  const backoff = new Backoff((bound) => bound);
  expect(Array.from({ length: 9 }, () => backoff.next())).toEqual([
    500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000,
  ]);
  backoff.reset();
  const waits: number[] = [];
  for (let left = 20_000; left > 0; left -= waits.at(-1) ?? 0) waits.push(Math.floor(backoff.nextBefore(left)));
  expect(waits).toEqual([500, 1000, 2000, 4000, 6250, 3125, 1562, 781, 500, 500]);
});

test("the dice are fair", () => {
  const throws = Array.from({ length: 1000 }, () => fairDice(30));
  expect(throws.every((wait) => wait >= 0 && wait < 30)).toBe(true);
  expect(throws.some((wait) => wait < 7) && throws.some((wait) => wait > 23)).toBe(true);
});
