import type { Domain } from "./server/state.js";

/** A domain and a filter as they are typed. */
export interface Typed {
  domain: string;
  filter: string;
}

/** The two fields that name an interest. The browser checks them by the contract's rules. */
export function InterestFields({ value, onInput }: { value: Typed; onInput: (value: Typed) => void }) {
  return (
    <div class="pair">
      <label>
        <span>Domain</span>
        <input
          required
          pattern="[A-Za-z0-9_.\-]{1,64}"
          title="1 to 64 of A-Z a-z 0-9 _ . -"
          maxLength={64}
          list="domains"
          autoComplete="off"
          autoCapitalize="off"
          spellcheck={false}
          placeholder="PLAYLIST"
          value={value.domain}
          onInput={(event) => onInput({ ...value, domain: event.currentTarget.value })}
        />
      </label>
      <label>
        <span>Filter</span>
        <input
          required
          maxLength={256}
          autoComplete="off"
          autoCapitalize="off"
          spellcheck={false}
          placeholder="playlist-id"
          value={value.filter}
          onInput={(event) => onInput({ ...value, filter: event.currentTarget.value })}
        />
      </label>
    </div>
  );
}

/** What browsers propose for a domain. */
export function DomainNames({ domains }: { domains: Domain[] }) {
  return <datalist id="domains">{domains.map(({ name }) => name !== null && <option key={name} value={name} />)}</datalist>;
}

/** Whether a domain's pokes go to one customer each, if the page knows that. */
export function isForCustomers(domains: Domain[], name: string): boolean | undefined {
  const domain = domains.find((domain) => domain.name === name) ?? domains.find((domain) => domain.name === null);
  return domain && domain.audience === "customer";
}
