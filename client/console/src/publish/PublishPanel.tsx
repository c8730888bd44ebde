import { encodedSize, PokeError } from "multicast-poke";
import { useMemo, useState } from "preact/hooks";
import { Dialog } from "../Dialog.js";
import { count, duration, plural } from "../format.js";
import { InterestFields, isForCustomers, type Typed as Names } from "../InterestFields.js";
import type { Settings } from "../server/state.js";
import { type Reading, typed } from "./data.js";
import type { Publisher } from "./publisher.js";

/** Of a poke, where the server hasn't said another bound. */
const MOST = 131_072;

type Outcome = { isGood: boolean; text: string };

/** Sends pokes and ends interests by hand. */
export function PublishPanel({
  publisher,
  settings,
  names,
  onNames,
}: {
  publisher: Publisher;
  settings: Settings | undefined;
  names: Names;
  onNames: (names: Names) => void;
}) {
  const [text, setText] = useState("");
  const [reading, setReading] = useState<Reading>("auto");
  const [customer, setCustomer] = useState("");
  const [outcome, setOutcome] = useState<Outcome>();
  const [isBusy, setBusy] = useState(false);
  const [isEnding, setEnding] = useState(false);
  const most = settings?.maxPokeBytes ?? MOST;
  const data = useMemo(() => sized(typed(text, reading), names, most), [text, reading, names, most]);
  const isForOne = isForCustomers(settings?.domains ?? [], names.domain);
  const fault = "error" in data ? undefined : data.fault;

  // A button that is disabled while it is used would lose the focus.
  const run = async (work: () => Promise<string>) => {
    if (isBusy) return;
    setBusy(true);
    setOutcome(undefined);
    try {
      setOutcome({ isGood: true, text: await work() });
    } catch (error) {
      setOutcome({ isGood: false, text: told(error) });
    } finally {
      setBusy(false);
    }
  };
  const poke = () => {
    if ("error" in data) throw new PokeError("INVALID_ARGUMENT", data.error);
    return { ...names, data: data.data, ...(customer && isForOne !== false && { customerId: customer }) };
  };
  const publish = () =>
    run(async () => {
      const { position, localReceiverCount } = await publisher.publish(poke());
      const to = localReceiverCount === undefined ? "" : `, to ${plural(localReceiverCount, "receiver")}`;
      return `Accepted${to}. Position ${position.epoch}:${position.sequence}`;
    });
  const end = () =>
    run(async () => {
      const { position } = await publisher.end(poke());
      return `Ended. Position ${position.epoch}:${position.sequence}`;
    });

  return (
    <section class="panel" aria-labelledby="publish-title">
      <header>
        <h2 id="publish-title">Publish</h2>
      </header>
      <form
        class="fields"
        // An answer to something else would mislead.
        onInput={() => setOutcome(undefined)}
        onSubmit={(event) => {
          event.preventDefault();
          void publish();
        }}
      >
        <InterestFields value={names} onInput={onNames} />
        {isForOne !== false && (
          <label>
            <span>Customer{isForOne ? "" : " (only where pokes go to one)"}</span>
            <input
              required={isForOne === true}
              maxLength={256}
              autoComplete="off"
              spellcheck={false}
              value={customer}
              onInput={(event) => setCustomer(event.currentTarget.value)}
            />
          </label>
        )}
        <div>
          <div class="line">
            <label for="data">Data</label>
            <label class="inline">
              <span>read as</span>
              <select value={reading} onChange={(event) => setReading(event.currentTarget.value as Reading)}>
                <option value="auto">JSON or text</option>
                <option value="text">text</option>
                <option value="json">JSON</option>
              </select>
            </label>
          </div>
          <textarea
            id="data"
            rows={2}
            spellcheck={false}
            placeholder={'Updated, or {"added":["track-7"]}'}
            aria-describedby="data-says"
            aria-invalid={"error" in data}
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
          />
          <p id="data-says" class={"error" in data ? "bad" : fault ? "warn" : "muted"}>
            {"error" in data ? data.error : `Sends ${data.says}: ${count(data.size)} of ${count(most)} bytes`}
            {fault && `. It looks like JSON, but isn't: ${fault}.`}
          </p>
        </div>
        <div class="line">
          <button
            type="button"
            aria-disabled={isBusy}
            disabled={"error" in data}
            onClick={(event) => event.currentTarget.form?.reportValidity() && setEnding(true)}
          >
            End…
          </button>
          <button type="submit" class="primary" aria-disabled={isBusy} disabled={"error" in data}>
            {fault ? "Publish as text" : "Publish"}
          </button>
        </div>
        <output class={outcome?.isGood === false ? "bad" : "good"}>{outcome?.text}</output>
      </form>
      {isEnding && (
        <Dialog title="End this interest?" onClose={() => setEnding(false)}>
          <p>
            {customer && isForOne !== false ? `Customer ${customer}, where it` : "Everyone who"} watches{" "}
            <strong class="interest">{`${names.domain}/${names.filter}`}</strong> is told that there is no more of it
            {text.trim() && ", with the data as a last word"}. Publishing to it is refused for{" "}
            {duration(settings?.windowSeconds ?? 600)}.
          </p>
          <div class="buttons">
            <button
              type="button"
              class="danger"
              onClick={() => {
                setEnding(false);
                void end();
              }}
            >
              End it
            </button>
            <button type="button" onClick={() => setEnding(false)}>
              Keep it
            </button>
          </div>
        </Dialog>
      )}
    </section>
  );
}

/** With how much of a poke it takes: domain, filter and data count. */
function sized(read: ReturnType<typeof typed>, { domain, filter }: Names, most: number) {
  if ("error" in read) return read;
  const name = (text: string) => (text ? new TextEncoder().encode(text).length + (text.length > 127 ? 3 : 2) : 0);
  try {
    const size = encodedSize(read.data) + name(domain) + name(filter);
    return size > most
      ? { error: `Too large: ${count(size)} bytes, and a poke has at most ${count(most)}.` }
      : { ...read, size };
  } catch (error) {
    return { error: told(error) };
  }
}

/** What went wrong, field by field if that is known. */
function told(error: unknown): string {
  if (!(error instanceof PokeError)) return String(error);
  const fields = error.violations.map(({ field, description }) => `${field}: ${description}`).join("; ");
  const unknown = error.code === "UNAVAILABLE" || error.code === "DEADLINE_EXCEEDED";
  const outcome = unknown ? " Whether it arrived isn't known." : "";
  return `${error.reason ?? error.code}: ${fields || error.message}${outcome}`;
}
