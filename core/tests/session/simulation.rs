//! Thousands of simulated lives of a connection.

use crate::simulator::World;

/// `SESSION_SEEDS` sets how many seeds run, `SESSION_SEED` the one that runs alone.
fn seeds() -> std::ops::Range<u64> {
    let number = |key| {
        std::env::var(key)
            .ok()
            .map(|text| text.parse::<u64>().unwrap())
    };
    match number("SESSION_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SESSION_SEEDS").unwrap_or(10_000),
    }
}

/// Lives through one seed; gives the trace and how many requests were completed.
fn live(seed: u64) -> (u64, u64) {
    let mut world = World::new(seed);
    for _ in 0..20 + world.random.below(130) {
        world.step();
    }
    if seed % 4 == 0 {
        world.die();
    } else {
        world.calm_down();
        world.call_once_more();
        world.die();
    }
    (world.trace(), world.completions)
}

/// Lives through seeds on all cores; names the seed that failed.
fn live_through(seeds: std::ops::Range<u64>) -> u64 {
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let workers: Vec<_> = (0..threads)
        .map(|first| {
            let seeds = seeds.clone();
            std::thread::spawn(move || {
                let mut completions = 0;
                for seed in seeds.skip(first as usize).step_by(threads as usize) {
                    let lived = std::panic::catch_unwind(|| live(seed));
                    let (_, completed) = lived.unwrap_or_else(|_| panic!("SESSION_SEED={seed}"));
                    completions += completed;
                }
                completions
            })
        })
        .collect();
    workers
        .into_iter()
        .map(|worker| worker.join().unwrap())
        .sum()
}

#[test]
fn every_accepted_request_completes_once_with_a_true_fate_whatever_happens() {
    let seeds = seeds();
    let count = seeds.end - seeds.start;
    let completions = live_through(seeds);
    println!("{completions} completions in {count} seeds");
    assert!(
        completions >= count,
        "the simulation does too little: {completions}"
    );
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in (0..2000).step_by(50) {
        assert_eq!(live(seed), live(seed), "seed {seed}");
    }
}
