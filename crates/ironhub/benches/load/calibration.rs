//! What the machine does without a hub: figures of another machine, or of another hour, compare only beside these.

use std::fs::OpenOptions;
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use ironhub_model::{SasToken, SymmetricKey, Timestamp, sas_token};
use tokio::time::Instant;

use crate::Result;
use crate::connection::KEY;

const TIME: Duration = Duration::from_secs(2);
const FILE_BYTES: u64 = 64 * 1024 * 1024;
/// As many messages of 300 B as a busy hub writes at once.
const BATCH_BYTES: usize = 64 * 1024;

#[expect(clippy::print_stdout, reason = "a measurement prints its figures")]
pub(crate) fn measure(directory: &Path) -> Result<()> {
    for bytes in [4096, BATCH_BYTES] {
        println!(
            "{:.0} writes of {bytes} B, each with fdatasync, a second",
            syncs(directory, bytes)?
        );
    }
    println!(
        "{:.0} SAS tokens parsed and verified a second, one core",
        verifications()?
    );
    Ok(())
}

/// One behind the other, into a file that has its blocks.
fn syncs(directory: &Path, bytes: usize) -> Result<f64> {
    let path = directory.join("raw");
    let file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    file.write_all_at(&vec![0; usize::try_from(FILE_BYTES)?], 0)?;
    file.sync_all()?;
    let batch: Vec<u8> = (0..=u8::MAX).cycle().take(bytes).collect();
    let (mut count, mut at, began) = (0_u32, 0, Instant::now());
    while began.elapsed() < TIME {
        if at + u64::try_from(bytes)? > FILE_BYTES {
            at = 0;
        }
        file.write_all_at(&batch, at)?;
        file.sync_data()?;
        at += u64::try_from(bytes)?;
        count += 1;
    }
    Ok(f64::from(count) / began.elapsed().as_secs_f64())
}

fn verifications() -> Result<f64> {
    let key = SymmetricKey::parse(KEY)?;
    let token = sas_token::sign(
        "127.0.0.1/devices/device-1",
        &key,
        Timestamp::from_secs(4_000_000_000),
        None,
    );
    let (mut count, began) = (0_u32, Instant::now());
    while began.elapsed() < TIME {
        let is_genuine = SasToken::parse(black_box(&token))?.is_signed_with(black_box(&key));
        if !is_genuine {
            return Err("a token of our own is not genuine".into());
        }
        count += 1;
    }
    Ok(f64::from(count) / began.elapsed().as_secs_f64())
}
