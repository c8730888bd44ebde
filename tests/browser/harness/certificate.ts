import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** A certificate for this machine, which no browser trusts, and where its files are. */
export interface Certificate {
  readonly certificate: string;
  readonly key: string;
  /** The certificate as PEM. */
  readonly pem: string;
}

/** Makes a certificate that is valid for a day. */
export function makeCertificate(folder: string): Certificate {
  const [certificate, key] = [join(folder, "tls.crt"), join(folder, "tls.key")];
  const names = "subjectAltName=DNS:localhost,IP:127.0.0.1";
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const files = ["-keyout", key, "-out", certificate];
  const extensions = ["-addext", names, "-addext", "basicConstraints=critical,CA:FALSE"];
  execFileSync("openssl", ["req", "-x509", ...curve, "-days", "1", ...files, "-subj", "/CN=localhost", ...extensions], {
    stdio: "pipe",
  });
  return { certificate, key, pem: readFileSync(certificate, "utf8") };
}
