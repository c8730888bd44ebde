//! A log that can't be written costs its lines and nothing else.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, PipeReader, Write as _},
    process::{Command, Output, Stdio},
};

use poke_tests::{
    Config, Server, binary, eventually, interest, new_pokes, refusal,
    v1::{Outcome, ReconnectReason},
    within,
};
use rustix::pipe::fcntl_getpipe_size;

/// An output whose reader has gone.
fn closed_pipe() -> Stdio {
    io::pipe().unwrap().1.into()
}

/// An output on a full disk.
fn full_disk() -> Stdio {
    File::options().write(true).open("/dev/full").unwrap().into()
}

/// An output that is full, and the reader that doesn't read it.
fn full_pipe() -> (Stdio, PipeReader) {
    let (reader, mut writer) = io::pipe().unwrap();
    writer.write_all(&vec![b'.'; fcntl_getpipe_size(&reader).unwrap()]).unwrap();
    (writer.into(), reader)
}

fn config(level: &str) -> Config {
    Config::new().text("log.level", level).text("log.format", "json").text("log.buffer", "64KiB")
}

/// Calls, streams, the watcher of the configuration and a drain all work.
async fn works_to_the_end(mut server: Server, config: Config) {
    let ours = interest("f");
    let mut stream = server.subscribe([new_pokes(ours.clone())]).await;
    stream.live(Outcome::Fresh).await;
    for number in 0..100 {
        // Each on a connection of its own, so that there is a lot to tell at debug level.
        server.publisher().await.poke(&ours, &number.to_string()).await;
    }
    assert_eq!(stream.data(100).await.len(), 100);
    // Each reload writes to the log, so the second one shows that the watcher has survived the first.
    for reloads in 1..=2 {
        server.rewrite(&config.clone().open(&format!("NEW{reloads}")));
        server.sighup();
        server.metric_becomes("poke_config_reloads_total", |count| count == f64::from(reloads)).await;
    }
    assert_eq!(server.admin("/readyz").await.text(), "ready\n");
    let metrics = server.metrics().await;
    assert_eq!((metrics.sum("poke_panics_total"), metrics.sum("poke_task_failures_total")), (0.0, 0.0));
    server.sigterm();
    assert_eq!(stream.asked_to_move().await.reason(), ReconnectReason::Drain);
    assert_eq!(refusal(&stream.end().await).reason, "SHUTTING_DOWN");
    assert_eq!(server.exited().await.code(), Some(0));
}

#[tokio::test]
async fn without_a_reader_of_its_output_the_server_works_and_drains() {
    for level in ["info", "debug"] {
        let server = Server::start_with_output(config(level), closed_pipe(), closed_pipe()).await;
        eventually("lines that can't be written to be counted", async || {
            (server.metrics().await.sum_where("poke_log_lines_dropped_total", "write_failed") > 0.0).then_some(())
        })
        .await;
        works_to_the_end(server, config(level)).await;
    }
}

#[tokio::test]
async fn with_a_full_disk_behind_its_output_the_server_works_and_drains() {
    for level in ["info", "debug"] {
        let server = Server::start_with_output(config(level), full_disk(), full_disk()).await;
        eventually("lines that can't be written to be counted", async || {
            (server.metrics().await.sum_where("poke_log_lines_dropped_total", "write_failed") > 0.0).then_some(())
        })
        .await;
        works_to_the_end(server, config(level)).await;
    }
}

#[tokio::test]
async fn with_full_pipes_that_nobody_reads_the_server_works_and_drains() {
    for level in ["info", "debug"] {
        let ((stdout, _unread), (stderr, _unread_too)) = (full_pipe(), full_pipe());
        let server = Server::start_with_output(config(level), stdout, stderr).await;
        works_to_the_end(server, config(level)).await;
    }
}

#[tokio::test]
async fn a_second_signal_stops_a_server_at_once_whose_log_nobody_reads() {
    let (stderr, _unread) = full_pipe();
    let mut server = Server::start_with_output(config("info"), Stdio::null(), stderr).await;
    let mut stream = server.subscribe([new_pokes(interest("f"))]).await;
    stream.live(Outcome::Fresh).await;
    server.sigterm();
    stream.asked_to_move().await;
    server.sigterm();
    assert_eq!(server.exited().await.code(), Some(1));
}

#[tokio::test]
async fn lines_that_a_slow_reader_missed_are_counted_and_told_once_it_reads() {
    let (stderr, reader) = full_pipe();
    let mut server = Server::start_with_output(config("debug"), Stdio::null(), stderr).await;
    let dropped = eventually("a line to be dropped", async || {
        server.publisher().await.poke(&interest("f"), "x").await;
        let dropped = server.metrics().await.sum_where("poke_log_lines_dropped_total", "queue_full");
        (dropped > 0.0).then_some(dropped)
    })
    .await;
    let reading = tokio::task::spawn_blocking(move || {
        let mut lines = BufReader::new(reader).lines().map_while(Result::ok);
        let told = lines.find(|line| line.contains("log lines were dropped"));
        // Reads on to the end of the process, as a log's reader does.
        lines.for_each(drop);
        told
    });
    server.sigterm();
    assert_eq!(server.exited().await.code(), Some(0));
    drop(server);
    let told = within("the end of the log", reading).await.unwrap().expect("the log tells what it lacks");
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert!(told["lines"].as_f64().unwrap() >= dropped, "{told}");
}

async fn print(argument: &str, stdout: Stdio) -> (Option<i32>, String) {
    let mut command = Command::new(binary("poke-server"));
    command.arg(argument).stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let Output { status, stderr, .. } =
        tokio::task::spawn_blocking(move || child.wait_with_output()).await.unwrap().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

#[tokio::test]
async fn what_is_printed_may_be_read_in_part_but_not_be_lost() {
    for argument in ["--check-config", "--print-config", "--help", "--version"] {
        assert_eq!(print(argument, closed_pipe()).await, (Some(0), String::new()), "{argument}");
    }
    for argument in ["--check-config", "--print-config"] {
        let (code, said) = print(argument, full_disk()).await;
        assert_eq!(code, Some(1), "{argument}: {said}");
        assert!(said.contains("can't write to standard output: No space left"), "{argument}: {said}");
    }
}
