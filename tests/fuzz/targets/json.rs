#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = poke_fuzz::json(text);
});
