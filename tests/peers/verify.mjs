// What other people's verifiers say to messages: a line of JSON each on stdin, and `ok` or `refused: why` each on stdout.
//
//   {"peer": "octokit", "secret": "...", "body": "...", "headers": {"lower-case": "..."}, "header": "x-hub-signature-256"}
//
// `header` is the one that octokit looks at; Standard Webhooks has names of its own, and the clock's time.

import { createInterface } from "node:readline";
import { verify } from "@octokit/webhooks-methods";
import { Webhook } from "standardwebhooks";

const peers = {
  async octokit({ secret, body, headers, header }) {
    if (!(await verify(secret, body, headers[header]))) throw new Error("the signature does not match");
  },
  standardwebhooks({ secret, body, headers }) {
    // A secret without the prefix is the key as it is.
    const options = secret.startsWith("whsec_") ? {} : { format: "raw" };
    new Webhook(secret, options).verify(body, headers);
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const message = JSON.parse(line);
  try {
    await peers[message.peer](message);
    console.log("ok");
  } catch (error) {
    console.log(`refused: ${error.message}`);
  }
}
