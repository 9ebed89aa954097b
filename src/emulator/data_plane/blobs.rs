//! Layers and configurations on their way out.

use serde_json::json;

use super::super::call::{Answer, Call};
use super::super::refusal::Refusal;
use super::operations::Request;

/// Whether a blob is there, and how large it is.
pub(super) fn head(call: &mut Call<'_>, request: &Request<'_>) -> Answer {
    let at = request.find(call, "ecr:BatchCheckLayerAvailability")?;
    let digest = request.text("blob");
    let size = call
        .repository(&at)
        .layers
        .get(digest)
        .copied()
        .ok_or_else(|| unknown(digest))?;
    Ok(json!({
        "status": 200,
        "headers": {
            "content-type": "application/octet-stream",
            "docker-content-digest": digest,
            "accept-ranges": "bytes",
        },
        "length": size,
    }))
}

/// A blob, or the part of it that is asked for.
pub(super) fn get(call: &mut Call<'_>, request: &Request<'_>) -> Answer {
    let at = request.find(call, "ecr:GetDownloadUrlForLayer")?;
    let digest = request.text("blob");
    let size = call
        .repository(&at)
        .layers
        .get(digest)
        .copied()
        .ok_or_else(|| unknown(digest))?;
    let mut answer = json!({
        "status": 200,
        "headers": {
            "content-type": "application/octet-stream",
            "docker-content-digest": digest,
            "accept-ranges": "bytes",
        },
        "blob": digest,
    });
    if let Some(range) = request.input["range"].as_str() {
        let (first, last) = part(range, size).ok_or_else(|| {
            Refusal::new("BLOB_UNKNOWN", "The range is not satisfiable.").with_status(416)
        })?;
        answer["status"] = 206.into();
        answer["headers"]["content-range"] = format!("bytes {first}-{last}/{size}").into();
        answer["part"] = json!([first, last]);
    }
    Ok(answer)
}

/// The first and last byte of `bytes=0-9`, `bytes=5-` or `bytes=-3` in something of this size.
fn part(range: &str, size: u64) -> Option<(u64, u64)> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let end = size.checked_sub(1)?;
    let (first, last) = match (first, last) {
        ("", count) => (size.saturating_sub(count.parse().ok()?), end),
        (first, "") => (first.parse().ok()?, end),
        (first, last) => (first.parse().ok()?, last.parse::<u64>().ok()?.min(end)),
    };
    (first <= last).then_some((first, last))
}

/// The blob is not in this repository.
pub(super) fn unknown(digest: &str) -> Refusal {
    Refusal::new(
        "BLOB_UNKNOWN",
        format!("blob unknown to registry: {digest}"),
    )
    .with_status(404)
}

#[cfg(test)]
mod tests {
    use super::part;

    #[test]
    fn a_range_is_a_part_of_what_there_is() {
        assert_eq!(part("bytes=0-3", 10), Some((0, 3)));
        assert_eq!(part("bytes=5-", 10), Some((5, 9)));
        assert_eq!(part("bytes=-3", 10), Some((7, 9)));
        assert_eq!(part("bytes=8-99", 10), Some((8, 9)));
        for wrong in ["bytes=10-", "bytes=5-4", "lines=1-2", "bytes=a-b"] {
            assert_eq!(part(wrong, 10), None, "{wrong}");
        }
        assert_eq!(part("bytes=0-", 0), None);
    }
}
