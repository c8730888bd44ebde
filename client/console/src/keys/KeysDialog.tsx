import { useState } from "preact/hooks";
import { Dialog } from "../Dialog.js";
import type { Keyring, Keys } from "./keys.js";

const FIELDS: [keyof Keys, string, string][] = [
  ["admin", "To see the server's state", "the key or token of an admin"],
  ["listen", "To watch", "a token or key, where a domain isn't open"],
  ["publish", "To publish and end", "a publisher's key or token"],
];

/** Where keys are entered. */
export function KeysDialog({ keyring, onClose }: { keyring: Keyring; onClose: () => void }) {
  const [keys, setKeys] = useState(keyring.keys.value);
  const [isKept, setKept] = useState(keyring.isKept);
  return (
    <Dialog title="Keys" onClose={onClose}>
      <form
        class="fields"
        onSubmit={(event) => {
          event.preventDefault();
          const trimmed = Object.fromEntries(Object.entries(keys).map(([name, key]) => [name, key.trim()]));
          keyring.set(trimmed as unknown as Keys, isKept);
          onClose();
        }}
      >
        <p class="muted">They are sent to this server alone, as a header, and stay in this page's memory.</p>
        {FIELDS.map(([name, label, hint]) => (
          <label key={name}>
            <span>{label}</span>
            <input
              type="password"
              autoComplete="off"
              spellcheck={false}
              placeholder={hint}
              value={keys[name]}
              onInput={(event) => setKeys({ ...keys, [name]: event.currentTarget.value })}
            />
          </label>
        ))}
        <label class="check">
          <input type="checkbox" checked={isKept} onChange={(event) => setKept(event.currentTarget.checked)} />
          <span>Keep them until this tab is closed</span>
        </label>
        <div class="buttons">
          <button type="submit" class="primary">
            Use these
          </button>
          <button
            type="button"
            onClick={() => {
              keyring.forget();
              onClose();
            }}
          >
            Forget all
          </button>
          <button type="button" onClick={onClose}>
            Cancel
          </button>
        </div>
      </form>
    </Dialog>
  );
}
