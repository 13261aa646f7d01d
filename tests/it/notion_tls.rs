//! The way to Notion: a company's own CA, and proxies.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;

use pipeline_tests::tls::{certificates, tls_before};
use pipeline_tests::{Bench, run};

#[test]
fn a_companys_own_ca_works_where_the_system_trusts_it_and_is_named_where_it_does_not() {
    let mut bench = Bench::new();
    let room = bench.recorded("daily");
    let port = tls_before(bench.notion.address(), certificates(bench.dir()));
    bench.set("NOTION_API_URL", format!("https://localhost:{port}"));

    let out = bench.finalize(&room).exits(75);
    assert!(
        out.stderr.contains("the system's trust store decides; a company's own CA belongs there"),
        "{}",
        out.stderr
    );
    assert!(out.stderr.contains("is remembered in"), "{}", out.stderr);
    assert_eq!(bench.requests(), [""; 0], "the token was not sent to a stranger");

    let mut finalize = bench.command("jitsi-finalize");
    run(finalize.arg(&room).env("SSL_CERT_FILE", bench.dir().join("ca.pem"))).exits(0);
    bench.only_row();
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    let mut bench = Bench::new();
    let room = bench.recorded("daily");
    let config = certificates(bench.dir());
    let port = tls_before(bench.notion.address(), config);
    // The certificate is for localhost and 127.0.0.1.
    bench.set("NOTION_API_URL", format!("https://127.0.0.2:{port}"));
    let mut finalize = bench.command("jitsi-finalize");
    let out = run(finalize.arg(&room).env("SSL_CERT_FILE", bench.dir().join("ca.pem"))).exits(75);
    assert!(out.stderr.contains("no answer from https://127.0.0.2"), "{}", out.stderr);
    assert_eq!(bench.requests(), [""; 0]);
}

#[test]
fn a_proxy_of_the_environment_is_not_asked_for_this_machine_and_is_for_others() {
    let mut bench = Bench::new();
    let room = bench.recorded("daily");
    // Nobody listens there.
    let nowhere = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let proxied = |bench: &Bench| {
        let mut finalize = bench.command("jitsi-finalize");
        for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
            finalize.env(name, format!("http://{nowhere}"));
        }
        run(finalize.env_remove("NO_PROXY").env_remove("no_proxy").arg(&room))
    };
    proxied(&bench).exits(0);
    bench.only_row();

    fs::remove_file(room.join(".recording.json")).unwrap();
    fs::remove_file(room.join(".notion_id")).unwrap();
    // A proxy that notes who is asked for, and goes.
    let proxy = TcpListener::bind(nowhere).unwrap();
    let asked = std::thread::spawn(move || {
        let mut line = String::new();
        BufReader::new(proxy.accept().unwrap().0).read_line(&mut line).unwrap();
        line
    });
    bench.set("NOTION_API_URL", "https://notion.example");
    proxied(&bench).exits(75);
    assert!(asked.join().unwrap().starts_with("CONNECT notion.example:443 "));
}
