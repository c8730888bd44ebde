const NUMBER = new Intl.NumberFormat("en");
const SHORT = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

/** 1,234 */
export function count(n: number): string {
  return NUMBER.format(n);
}

/** 1,234 up to 9,999, then 12.3K: a number that is looked at from afar. */
export function short(n: number): string {
  return n < 10_000 ? NUMBER.format(n < 10 ? Math.round(n * 10) / 10 : Math.round(n)) : SHORT.format(n);
}

/** 131,072 bytes are 128 KiB. */
export function bytes(n: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  const unit = n < 1024 ? 0 : Math.min(Math.floor(Math.log2(n) / 10), units.length - 1);
  const value = n / 1024 ** unit;
  return `${value < 10 && unit > 0 ? Math.round(value * 10) / 10 : count(Math.round(value))} ${n === 1 ? "byte" : units[unit]}`;
}

/** 90 s, 12 min, 3 h 5 min, 2 d 4 h */
export function duration(seconds: number): string {
  const s = Math.floor(seconds);
  const both = (large: number, name: string, small: number, unit: string) =>
    `${large} ${name}${small ? ` ${small} ${unit}` : ""}`;
  if (s < 120) return `${s} s`;
  if (s < 7200) return both(Math.floor(s / 60), "min", s < 600 ? s % 60 : 0, "s");
  if (s < 172_800) return both(Math.floor(s / 3600), "h", Math.floor((s % 3600) / 60), "min");
  return both(Math.floor(s / 86_400), "d", Math.floor((s % 86_400) / 3600), "h");
}

/** 12:03:04.123, on the clock of whoever looks. */
export function time(date: Date): string {
  const two = (n: number) => String(n).padStart(2, "0");
  const milliseconds = String(date.getMilliseconds()).padStart(3, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${milliseconds}`;
}

/** One poke, 2 pokes. */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}
